// An OpenID provider with dynamic registration (RFC 7591, RFC 7592), for stories: `node oidc-provider.mjs PORT FILE NOW`.
//
// It keeps its clients and keys in FILE, so that it can be stopped and started again, and says `ready` once it listens.
// Its clock runs from NOW, in milliseconds since 1970, as the one of the story does.
// An initial access token is asked for, registration access tokens change with every update, and access tokens of
// client credentials are JWTs.

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

  async findByUid() {
    return undefined;
  }

  async findByUserCode() {
    return undefined;
  }

  async destroy(id) {
    delete stored.rows[this.place(id)];
    save();
  }

  async consume() {}

  async revokeByGrantId() {}
}

save();
const provider = new Provider(issuer, {
  adapter: Rows,
  jwks: { keys: stored.keys },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  clientDefaults: { scope: undefined },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    registration: { enabled: true, initialAccessToken: 'an-initial-access-token' },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:forecourt:story',
      getResourceServerInfo: () => ({ scope: 'read write', accessTokenFormat: 'jwt', accessTokenTTL: 3600 }),
      useGrantedResource: () => true,
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
