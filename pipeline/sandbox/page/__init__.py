"""The web page on which an administrator issues, lists and revokes API tokens, as the vendor documents it.

Server-made HTML that works without JavaScript; templates, style and the one small script lie in `files/`. What a token
is, and where it is kept, is `sandbox.tokens`' business.
"""

from pipeline.sandbox.page.routes import attach

__all__ = ["attach"]
