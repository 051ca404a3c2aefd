// An OpenID provider with dynamic registration (RFC 7591, RFC 7592), for stories: `node oidc-provider.mjs PORT FILE NOW`.
//
// It keeps its clients and keys in FILE, so that it can be stopped and started again, and says `ready` once it listens.
// Its clock runs from NOW, in milliseconds since 1970, as the one of the story does.
// An initial access token is asked for, registration access tokens change with every update, and access tokens of
// client credentials are JWTs. Browsers are signed in as whoever was named last by `POST /story/person` (a JSON object of
// claims, `sub` among them), without being asked anything. What it gave for the codes of people, and the verifiers that
// came with them, stand in FILE under `exchanges`.

import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import Provider from 'oidc-provider';

const [port, file, start] = process.argv.slice(2);
const real = Date.now;
const ahead = Number(start) - real();
Date.now = () => real() + ahead;
const issuer = `http://127.0.0.1:${port}`;

const stored = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { keys: [key()], rows: {} };

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
}

// Whole or not at all: the story reads it at any moment.
function save() {
  writeFileSync(`${file}.new`, JSON.stringify(stored));
  renameSync(`${file}.new`, file);
}

class Rows {
  constructor(model) {
    this.model = model;
  }

  place(id) {
    return `${this.model}/${id}`;
  }

  async upsert(id, payload) {
    stored.rows[this.place(id)] = payload;
    save();
  }

  async find(id) {
    return stored.rows[this.place(id)];
  }

  async findByUid(uid) {
    const places = Object.entries(stored.rows).filter(([place]) => place.startsWith(`${this.model}/`));
    return places.map(([, payload]) => payload).find((payload) => payload.uid === uid);
  }

  async findByUserCode() {
    return undefined;
  }

  async destroy(id) {
    delete stored.rows[this.place(id)];
    save();
  }

  async consume(id) {
    stored.rows[this.place(id)].consumed = Math.floor(Date.now() / 1000);
    save();
  }

  async revokeByGrantId(grantId) {
    for (const [place, payload] of Object.entries(stored.rows)) {
      if (payload.grantId === grantId) delete stored.rows[place];
    }
    save();
  }
}

// Nobody reads what it says after `ready`: a line more would end it when the pipe is closed.
console.info = () => {};
console.warn = () => {};

save();
const provider = new Provider(issuer, {
  adapter: Rows,
  jwks: { keys: stored.keys },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'read', 'write'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username'],
  },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (_ctx, sub) => ({
    accountId: sub,
    claims: async () => ({ ...stored.persons?.[sub], sub }),
  }),
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ accountId: session.accountId, clientId: client.clientId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
  clientDefaults: { scope: undefined },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    registration: { enabled: true, initialAccessToken: 'an-initial-access-token' },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
    resourceIndicators: {
      enabled: true,
      // A token for people's own claims is for no other resource.
      defaultResource: (ctx) =>
        ctx.oidc.params?.grant_type === 'client_credentials' ? 'urn:forecourt:story' : undefined,
      getResourceServerInfo: () => ({ scope: 'read write', accessTokenFormat: 'jwt', accessTokenTTL: 3600 }),
      useGrantedResource: () => true,
    },
  },
});
provider.use(async (ctx, next) => {
  if (ctx.method === 'POST' && ctx.path === '/story/person') {
    let text = '';
    for await (const part of ctx.req) text += part;
    const person = JSON.parse(text);
    stored.persons = { ...stored.persons, [person.sub]: person };
    stored.person = person.sub;
    save();
    ctx.status = 204;
    return;
  }
  if (ctx.method === 'POST' && ctx.path === '/token') {
    await next();
    const verifier = ctx.oidc?.params?.code_verifier;
    if (verifier && ctx.status === 200) {
      const { access_token, id_token } = ctx.body;
      stored.exchanges = [...(stored.exchanges ?? []), { code_verifier: verifier, access_token, id_token }];
      save();
    }
    return;
  }
  if (!ctx.path.startsWith('/interaction/')) return next();
  // Whoever was signed in before, the story says who it is now.
  const result = { login: { accountId: stored.person, remember: false }, consent: {} };
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
});
provider.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
