"""Tells a chat what happens."""

from dataclasses import dataclass

from sluice_sdk import Client, Event, Request, notifier, setting


@dataclass
class Settings:
    channel: str = setting(description="Where to write, such as `#deploys`.")


@notifier(Settings)
def plugin(client: Client, on: Settings, event: Event) -> str | None:
    links = [f"{label}: {address}" for label, address in event.links]
    text = "\n".join(line for line in [event.title, event.body, *links] if line)
    message = {"channel": on.channel, "text": text}
    if event.thread is not None:
        message["thread"] = event.thread
    request = (
        Request.post("/api/messages")
        .on("chat")
        .bearer("chat-token")
        # Comes again with the same key after a failure: one message, not two.
        .header("idempotency-key", event.id)
        .json(message)
    )
    thread = client.ask(request).json().get("thread")
    return thread if isinstance(thread, str) else None
