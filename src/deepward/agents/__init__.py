"""Seven agents turn a brief into a cited report, attack patterns and prompts.

    schemas, inputs                 what they hand to each other
    brief, graph, budgets           one run: reviewed, bounded, resumable
    extractive, huggingface,        who does an agent's work: algorithms, local models, a server;
    endpoint, agent_table           and which does whose
    tools, untrusted, messages      what they may use, and how strangers' text is kept apart
    validation, rendering           what is checked, and what is written

Import from the modules: what they need is heavy, and few callers need all of it.
"""
