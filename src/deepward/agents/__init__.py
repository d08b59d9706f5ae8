"""Seven agents turn a brief into a cited report, attack patterns and prompts.

    schemas, agent, roster          what they hand to each other, and who each of them is
    brief, graph, asking, budgets   one run: reviewed, bounded, resumable
    state, checkpoint, transcript   what it knows, and where it is taken up again
    backends, extractive            who does an agent's work: local models, a server; algorithms
    tools, untrusted                what they may use, and how strangers' text is kept apart
    parsing, checks                 what is checked before anything is handed over
    results, report, markdown       what is written

Import from the modules: what they need is heavy, and few callers need all of it.
"""
