"""Seven ports by which upstream shows and uses what lives downstream.

Each owns a small typed protocol and its registry; the app that has the answer
registers its provider once, in `AppConfig.ready()`.
"""
