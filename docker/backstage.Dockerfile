# The portal. Made from the root of the repository:
#   docker build -f docker/backstage.Dockerfile -t <registry>/backstage:<version> .
FROM node:24.19.0-bookworm-slim AS build

WORKDIR /build
# Nothing was unpacked before that could be linked.
ENV YARN_NM_MODE=classic
COPY package.json yarn.lock .yarnrc.yml backstage.json tsconfig.json ./
COPY scripts/install-yarn.sh scripts/
COPY backstage backstage
# No package runs a script at its installation (.yarnrc.yml), and every one is the one of yarn.lock.
RUN sh scripts/install-yarn.sh /opt/yarn npm \
 && node /opt/yarn/yarn.js install --immutable \
 && node /opt/yarn/yarn.js workspace backend build
# The same layout with the packages that the backend needs when it runs, and no others.
WORKDIR /portal
RUN cp /build/.yarnrc.yml /build/package.json /build/yarn.lock /build/backstage.json . \
 && tar -xzf /build/backstage/packages/backend/dist/skeleton.tar.gz \
 && node /opt/yarn/yarn.js workspaces focus --all --production \
 && tar -xzf /build/backstage/packages/backend/dist/bundle.tar.gz \
 && rm -rf .yarn

FROM node:24.19.0-bookworm-slim

COPY --from=build /portal /opt/backstage
COPY backstage/app-config.yaml /opt/backstage/backstage/
COPY backstage/catalog /opt/backstage/backstage/catalog
COPY templates /opt/backstage/templates

ENV NODE_ENV=production
# Places in app-config.yaml are relative to this folder.
WORKDIR /opt/backstage/backstage/packages/backend
USER 1000:1000
EXPOSE 7007
ENTRYPOINT ["node", "/opt/backstage/backstage/packages/backend", "--config", "/opt/backstage/backstage/app-config.yaml"]
