"""What pulls of rows have in common, whether out of a database or over HTTP: watermarks, spool, options."""
