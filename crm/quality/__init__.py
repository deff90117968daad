"""Is the data that comes in good? Counts by day, doubtful names and properties, people
known twice, clocks that run ahead, calls that were refused; statistics are pure."""
