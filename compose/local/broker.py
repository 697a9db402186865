"""A RabbitMQ outside: what it has to be told of an instance, and whether it was."""

import amqp

from compose.local.layout import DEFINITIONS
from compose.local.outside import lay_authorities
from compose.local.site import AMQP_AUTHORITIES, Site
from shared.errors import ConfigurationError, Unavailable
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.topology import OPERATOR, QUEUES
from shared.settings import Settings, load_settings


def keep_authorities(site: Site) -> None:
    """Lay them where every part finds them. Raises ConfigurationError where there are none to lay."""
    options = site.options
    given = options.amqp_ca if options.amqp_host else None
    if given and not given.is_file():
        raise ConfigurationError(f"BREAKWATER_AMQP_CA is not valid: there is no file {given}")
    lay_authorities(given, site.layout.conf / AMQP_AUTHORITIES)


def refuse_unprepared_broker(site: Site) -> None:
    """For a start that is the first with this broker. Raises ConfigurationError, Unavailable.

    Later starts do not need it: without a broker events wait, and everything else goes on.
    """
    names = {name.removeprefix("BREAKWATER_").lower(): value for name, value in site.settings.items()}
    settings = load_settings(**names, part=OPERATOR)
    where = f"the broker at {site.options.amqp_host}"
    try:
        known = _knows(settings)
    except BROKER_ERRORS as error:
        reason = "proves its name by no certificate of BREAKWATER_AMQP_CA" if _is_tls(error) else "does not answer"
        raise Unavailable(f"{where} {reason}") from error
    if not known:
        raise ConfigurationError(f"{where} has not been told of this instance: {_what_to_do(site)}")


def _what_to_do(site: Site) -> str:
    if site.pod:
        file = site.layout.broker_conf / DEFINITIONS
        return f"give it {file} of this container, by rabbitmqctl import_definitions FILE; this goes on by itself then"
    verb = "events broker-definitions"
    if site.contained:
        command = f"docker compose run --rm -v FOLDER:/backup operate {verb} /backup/FILE"
    else:
        command = f"./breakwater {verb} FILE"
    return f"give it what {command} writes, by rabbitmqctl import_definitions FILE, and run {site.starting} again"


def _knows(settings: Settings) -> bool:
    try:
        with connected(settings) as connection:
            for queue in QUEUES:
                connection.channel().queue_declare(queue, passive=True)
    except (amqp.AccessRefused, amqp.NotAllowed, amqp.NotFound):
        return False
    return True


def _is_tls(error: BaseException) -> bool:
    return "certificate" in str(error).lower() or "ssl" in type(error).__name__.lower()
