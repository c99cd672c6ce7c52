# The service, and the command line with it. Made from the root of the repository:
#   docker build -f docker/ml-platform.Dockerfile -t <registry>/ml-platform:<version> .
FROM python:3.11.14-slim-bookworm AS build

COPY requirements/uv.txt /build/requirements/
RUN pip install --no-cache-dir --only-binary :all: --require-hashes -r /build/requirements/uv.txt
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1

# Packages first: they change less often than the code.
COPY requirements/runtime.txt /build/requirements/
RUN uv venv /opt/ml-platform/.venv \
 && uv pip sync --python /opt/ml-platform/.venv --only-binary :all: --require-hashes \
      /build/requirements/runtime.txt

COPY pyproject.toml /build/
COPY python-actions /build/python-actions
# The build backend is part of uv: nothing else is fetched.
RUN uv pip install --python /opt/ml-platform/.venv --no-deps /build
# The root will be read-only: compiled here or never. A package may carry files that are no Python of this version.
RUN python -m compileall -q -j 0 /opt/ml-platform/.venv/lib || [ $? -eq 1 ]

FROM python:3.11.14-slim-bookworm

COPY --from=build /opt/ml-platform/.venv /opt/ml-platform/.venv
# The seed of a new GitOps repository, and the workloads whose images `ml-platform build --image` records.
COPY gitops /opt/ml-platform/gitops
COPY workloads /opt/ml-platform/workloads

ENV PATH=/opt/ml-platform/.venv/bin:$PATH \
    ML_PLATFORM_ROOT=/opt/ml-platform \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/ml-platform
USER 1000:1000
EXPOSE 7008
ENTRYPOINT ["ml-platform"]
CMD ["serve"]
