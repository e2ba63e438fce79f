# One nightly run: docs/container.md. Everything that is installed comes from the lock file, by hash; nothing secret is in it.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/prospend
COPY requirements/run.txt requirements/run.txt
RUN /opt/prospend/bin/python -m pip install --no-cache-dir --no-input --require-hashes --only-binary :all: -r requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
COPY configs/prospend.toml configs/site.example.toml configs/
COPY pipeline pipeline
RUN /opt/prospend/bin/python -m pip install --no-cache-dir --no-input --no-index --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/prospend /opt/prospend
ENV PATH=/opt/prospend/bin:$PATH
WORKDIR /srv/prospend
# A new volume takes owner and mode of the folder that it covers.
RUN install --directory --owner=10001 --group=10001 --mode=0750 data
USER 10001:10001
VOLUME /srv/prospend/data
# There is no HEALTHCHECK: the container ends with its run, and its exit code is the health.
ENTRYPOINT ["prospend"]
CMD ["--help"]
