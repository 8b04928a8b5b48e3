// The OpenID provider of the tests (oidc-provider, certified by the OpenID Foundation), as its settings say:
// { issuer, port, jwks, algorithm, audience, clients: { id: { secret, claims } } }, the path of which is the argument.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));

const provider = new Provider(settings.issuer, {
  jwks: settings.jwks,
  clients: Object.entries(settings.clients).map(([id, { secret }]) => ({
    client_id: id,
    client_secret: secret,
    id_token_signed_response_alg: settings.algorithm,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  })),
  cookies: { keys: ["tests"] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        audience: resource,
        scope: "codec",
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: settings.algorithm } },
      }),
    },
  },
  extraTokenClaims: (_ctx, token) => settings.clients[token.clientId].claims,
});

createServer(provider.callback()).listen(settings.port, "127.0.0.1");
