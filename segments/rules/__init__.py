"""The rule language: read, checked and said in English, pure of all I/O.

A rule is JSON: `{"version": 1, "root": node}`. A node is a group with one of the
keys `all`, `any`, `none`, or a leaf with a `type` that a fact source knows.
"""
