"""End-to-end encryption, the server's part: keys, who signed them, who must hear of them, and messages between devices.

The server decrypts nothing. It checks what can be checked (shapes, signatures, who may write), gives each one-time key
out once, and tells exactly those users of a changed device list who share a room with its owner. Nothing here speaks to
other servers; core.encryption.remote names what federation adds.
"""
