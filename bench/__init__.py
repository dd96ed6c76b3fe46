"""Measures Sfumato on the machine it runs on, beside what a user could pick instead.

It stands above the other rooms and may look into all of them; only the command line knows it.
"""
