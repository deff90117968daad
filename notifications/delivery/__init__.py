"""The send machine: plan, claim, route, render, gate, POST, finish, sweep.

The only package that opens a channel. Crash points and their effects are in
docs/architecture.md; each step is one short transaction, and the commit of the
gate is the point of no return.
"""
