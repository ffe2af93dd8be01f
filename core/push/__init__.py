"""Push: the rules that say what notifies whom, the counts of what is unread, and the gateways that wake phones.

Whether an event notifies is decided by core.events.push_rules, which is pure; here rules are kept, events are counted
in the log's order, and pushes are sent. Syncs read counts through core.sync.counts.
"""
