"""The one door to other machines: every name that is resolved and every connection that is opened goes through here.

`door.Door` makes one exchange with an endpoint that somebody else has chosen; `web.Web` follows URLs for plugins,
pushers and previews; core.federation chooses endpoints by the rules of the specification. What is common to them is
decided once: blocked address ranges, time, sizes, how many connections are open, which of them are kept.
"""
