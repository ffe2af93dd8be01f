"""A second opinion on rooms: a simple model of what users do, and of what every view of it must show.

`events` and `rooms` say what a room is, `world` who is who, `unread` and `relations` what follows from that; none of
them knows of HTTP. `steps` do something at random on the server and to the model, `clients` fold syncs together, and
`comparing` holds both against each other.
"""
