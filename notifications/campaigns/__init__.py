"""To whom and when: compose, launch, run, pause, trigger, finish."""
