// A SAML identity provider (npm samlp) for stories: `node saml-idp.mjs PORT NOW`.
//
// It makes three RSA keys and says them as JSON: its own, one of somebody else, and one for the service provider. It
// reads their certificates, in the same form, from its input, and then says `ready`. Its clock runs from NOW, in
// milliseconds since 1970, as the one of the story does. Whoever comes to /sso is signed in at once; parameters of
// their address say as whom, and what is to be wrong with the answer. A signature of the request is verified.

import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { inflateRawSync } from 'node:zlib';

import express from 'express';
import samlp from 'samlp';

const [port, start] = process.argv.slice(2);
const RealDate = Date;
const ahead = Number(start) - RealDate.now();
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length > 0 ? given : [RealDate.now() + ahead]));
  }

  static now() {
    return RealDate.now() + ahead;
  }
};

const issuer = `http://127.0.0.1:${port}/metadata`;
const keys = Object.fromEntries(['own', 'other', 'client'].map((name) => [name, key()]));
console.log(JSON.stringify(keys));
const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => serve(JSON.parse(line)));

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ format: 'pem', type: 'pkcs8' });
}

// Where the request wants its answer.
function consumer(request) {
  const xml = inflateRawSync(Buffer.from(request, 'base64')).toString();
  return /AssertionConsumerServiceURL="([^"]*)"/.exec(xml)[1];
}

function person(id) {
  return {
    id,
    emails: [{ value: `${id}@example.com` }],
    displayName: `${id} Lovelace`,
    name: { givenName: id, familyName: 'Lovelace' },
  };
}

function answer(certificates, query) {
  const acs = consumer(query.SAMLRequest);
  const signer = query.key ?? 'own';
  const signs = query.signs ?? 'assertion';
  return samlp.auth({
    issuer: query.issuer ?? issuer,
    key: keys[signer],
    // What the answer shows of itself; `shown` is to tell another certificate than the one of the key.
    cert: certificates[query.shown ?? signer],
    signingCert: query.Signature && certificates.client,
    signAssertion: signs === 'assertion' || signs === 'both',
    signResponse: signs === 'response' || signs === 'both',
    signatureAlgorithm: query.algorithm ?? 'rsa-sha256',
    digestAlgorithm: query.digest ?? 'sha256',
    nameIdentifierFormat: query.format,
    ...(query.audience && { audience: query.audience }),
    ...(query.answers && { inResponseTo: query.answers }),
    destination: query.destination ?? acs,
    recipient: query.recipient ?? acs,
    lifetimeInSeconds: Number(query.lifetime ?? 300),
    getUserFromRequest: () => person(query.user ?? 'ada'),
    getPostURL: (_audience, _request, _req, done) => done(null, acs),
  });
}

function serve(certificates) {
  const app = express();
  app.get(
    '/metadata',
    samlp.metadata({ issuer, cert: certificates.own, redirectEndpointPath: '/sso', postEndpointPath: '/sso' }),
  );
  app.get('/sso', (req, res, next) => answer(certificates, req.query)(req, res, next));
  app.listen(Number(port), '127.0.0.1', () => console.log(`ready ${issuer}`));
}
