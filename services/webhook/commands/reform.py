"""A delivery in the form that its target has by now: its policy may have been changed since it was made."""

from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.orm import Session

from services.webhook.domain.payload import CONTENT_TYPES, Payload, notice_in, render
from services.webhook.domain.policy import EventType, PayloadFormat
from services.webhook.tables import attempts, deliveries


def payload_now(session: Session, row: Row[Any], target: Row[Any]) -> Payload:
    """What is to be sent. Where that is another form, it is written down; the attempts so far keep what they sent."""
    made, form = Payload(content_type=row.content_type, body=row.body), PayloadFormat(target.payload_format)
    if made.content_type == CONTENT_TYPES[form]:
        return made
    # deliveries from before events were noted beside them have their own id, which is as good to tell them apart
    event_id, type_ = row.event_id or row.uid, EventType(row.event_type)
    notice = notice_in(made, type_, event_id=event_id, request_id=row.request_id)
    if notice is None:
        return made
    payload = render(notice, form, project_id=target.project_id, policy_id=row.policy_id)
    so_far = (attempts.c.delivery_id == row.id, attempts.c.body.is_(None))
    session.execute(update(attempts).where(*so_far).values(body=made.body))
    now = {"content_type": payload.content_type, "body": payload.body}
    session.execute(update(deliveries).where(deliveries.c.id == row.id).values(**now))
    return payload
