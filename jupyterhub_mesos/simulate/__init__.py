"""Replay of a trace on a virtual clock, decided by the very core that decides in production.

What a policy would have done with last month's work: `jobs` come in, `engine` plays them through
`QuotaMachine.handle`, `observers` look on, `result` says what became of them. Nothing here decides anything.
"""
