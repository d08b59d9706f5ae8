"""The agents' work as algorithms: no language model, no download, the same answer every time.

`deepward.agents.roster` says which does whose work.
"""
