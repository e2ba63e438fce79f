"""Every fault that a run can meet, as data: `rows` is the table, `cases` are what the real command is put through."""
