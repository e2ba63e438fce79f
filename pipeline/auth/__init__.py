"""The token: what it may look like, what it says of itself, how long it lasts, and how it is renewed. Pure.

We hold no key, so nothing the token says is trusted; it is read only to tell, to warn and to stop early. PyJWT lives
here.
"""

from pipeline.auth.expiry import MILESTONES, milestone, newly_crossed, refuse_expired, state_of
from pipeline.auth.passport import VALIDITY, Passport, passport
from pipeline.auth.renewal import Step, renewal_steps
from pipeline.auth.secret import Secret, checked_token, token_from_environment

__all__ = [
    "MILESTONES",
    "VALIDITY",
    "Passport",
    "Secret",
    "Step",
    "checked_token",
    "milestone",
    "newly_crossed",
    "passport",
    "refuse_expired",
    "renewal_steps",
    "state_of",
    "token_from_environment",
]
