"""Mail servers: logging in (``login``) and letters (``letter``), for the IMAP source and the SMTP sink."""
