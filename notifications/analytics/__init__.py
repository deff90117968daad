"""Learn: what came of the messages, from a device's report to the figures.

`record` takes reports in, `conversions` matches goals, `metrics` and `overview`
count, `definitions` says what each figure means. Reports are read from here alone.
"""
