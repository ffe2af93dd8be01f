"""How a room grows: one append in the making, from the tip it builds on to the rows it writes.

An append is worked out first, in memory (`work`, `states`, `placing`, `judging`, `redacting`), and written afterwards
(`rows`); so a job that is refused has written nothing.
"""
