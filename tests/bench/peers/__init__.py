"""Our pipeline next to its peers over the same books: `make bench`. Each contestant is a process of its own."""
