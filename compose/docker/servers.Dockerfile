# Three servers out of Debian's packages, for compose.offline.yaml: an image each, with programs where the official
# images have them.
ARG BASE=debian:12-slim

FROM ${BASE} AS base
RUN groupadd --gid 10000 breakwater \
    && useradd --uid 10000 --gid 10000 --no-create-home --shell /usr/sbin/nologin breakwater \
    && groupadd --gid 999 breakwater-data \
    && useradd --uid 999 --gid 999 --groups breakwater --no-create-home --shell /usr/sbin/nologin breakwater-data \
    # no package may start a server, nor make a database of its own
    && printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
    && mkdir -p /etc/postgresql-common/createcluster.d \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/breakwater.conf

FROM base AS postgres
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/*

FROM base AS rabbitmq
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /opt/rabbitmq && ln -s /usr/lib/rabbitmq/bin /opt/rabbitmq/sbin

FROM base AS nginx
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx \
    && rm -rf /var/lib/apt/lists/*
