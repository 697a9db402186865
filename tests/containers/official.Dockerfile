# Where no official image can be pulled: Debian's programs in the places, among the users, files and variables of those
# images, as their Dockerfiles tell. None has a user of ours, nor what their entrypoints would need.
FROM breakwater-postgres AS postgres
RUN userdel breakwater-data && userdel breakwater \
    && usermod --uid 999 postgres && groupmod --gid 999 postgres && usermod --gid 999 postgres \
    && rm -f /usr/bin/psql /usr/bin/pg_isready \
    && mkdir -p /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data
ENV LANG=en_US.utf8 PG_MAJOR=15 PGDATA=/var/lib/postgresql/data PATH=$PATH:/usr/lib/postgresql/15/bin
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]

FROM breakwater-rabbitmq AS rabbitmq
# both as their makers deliver them, not as Debian does: RabbitMQ below /opt, Erlang below /usr/local
RUN userdel breakwater-data && userdel breakwater \
    && usermod --uid 999 --home /var/lib/rabbitmq rabbitmq && groupmod --gid 999 rabbitmq && usermod --gid 999 rabbitmq \
    && rm -r /opt/rabbitmq && mv /usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/rabbitmq \
    && rm -rf /usr/lib/rabbitmq /usr/sbin/rabbitmq* /etc/rabbitmq/rabbitmq-env.conf \
    && mv /usr/lib/erlang /usr/local/lib/erlang \
    && sed -i 's:/usr/lib/erlang:/usr/local/lib/erlang:g' /usr/local/lib/erlang/bin/erl /usr/local/lib/erlang/erts-*/bin/erl \
    && find /usr/bin -lname '*erlang*' -delete \
    && for each in erl epmd escript; do ln -s "/usr/local/lib/erlang/bin/$each" /usr/local/bin; done \
    && mkdir -p /etc/rabbitmq/conf.d \
    && printf 'loopback_users.guest = false\nlog.console = true\n' >/etc/rabbitmq/conf.d/10-defaults.conf \
    && echo 'management_agent.disable_metrics_collector = true' >/etc/rabbitmq/conf.d/20-collector.conf \
    && echo '[rabbitmq_prometheus].' >/etc/rabbitmq/enabled_plugins \
    && chown -R rabbitmq: /etc/rabbitmq /var/lib/rabbitmq
ENV RABBITMQ_DATA_DIR=/var/lib/rabbitmq RABBITMQ_VERSION=3.10 RABBITMQ_HOME=/opt/rabbitmq HOME=/var/lib/rabbitmq \
    LANG=C.UTF-8 LANGUAGE=C.UTF-8 LC_ALL=C.UTF-8 PATH=/opt/rabbitmq/sbin:$PATH
VOLUME /var/lib/rabbitmq
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 4369 5671 5672 15691 15692 25672
CMD ["rabbitmq-server"]

FROM breakwater-nginx AS nginx
RUN userdel breakwater-data && userdel breakwater \
    && addgroup --system --gid 101 nginx \
    && adduser --system --disabled-login --ingroup nginx --no-create-home --home /nonexistent --uid 101 nginx \
    && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log \
    && rm -rf /etc/nginx/modules-enabled /usr/share/nginx/modules-available /usr/lib/nginx/modules
ENV NGINX_VERSION=1.22 PKG_RELEASE=1
ENTRYPOINT ["/docker-entrypoint.sh"]
STOPSIGNAL SIGQUIT
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
