"""What people read: frames for programs, later charts, pages and workbooks. pandas lives here."""
