# The one image of contactsync: worker, codec-server, migrate and every other command.
# Behind a mirror, hand pip its configuration: docker build --secret id=pip,src=/etc/pip.conf .
FROM python:3.13-slim-trixie AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock requirements-build.lock ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv /opt/contactsync && \
    /opt/contactsync/bin/pip install --require-hashes --requirement requirements.lock && \
    pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . && \
    /opt/contactsync/bin/pip install --no-deps --no-index /dist/*.whl

FROM python:3.13-slim-trixie
RUN groupadd --gid 10001 contactsync && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin contactsync
COPY --from=build /opt/contactsync /opt/contactsync
# nothing is ever written inside the container, so its file system may be read-only
ENV PATH=/opt/contactsync/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CONTACTSYNC_LOG_FORMAT=json
USER 10001:10001
ENTRYPOINT ["contactsync"]
CMD ["--help"]
