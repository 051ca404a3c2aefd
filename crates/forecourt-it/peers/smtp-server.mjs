// A mail server by smtp-server, which takes mail from one user alone and writes each down as a line of JSON.
// node smtp-server.mjs PORT FILE USER PASSWORD
import { appendFileSync } from "node:fs";
import { SMTPServer } from "smtp-server";

const [port, file, user, password] = process.argv.slice(2);

const server = new SMTPServer({
  allowInsecureAuth: true,
  authMethods: ["PLAIN", "LOGIN"],
  disabledCommands: ["STARTTLS"],
  disableReverseLookup: true,
  onAuth(auth, session, callback) {
    const right = auth.username === user && auth.password === password;
    callback(right ? null : new Error("wrong user name or password"), right ? { user } : undefined);
  },
  onData(stream, session, callback) {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const to = session.envelope.rcptTo.map((recipient) => recipient.address);
      const mail = { from: session.envelope.mailFrom.address, to, text: Buffer.concat(parts).toString() };
      appendFileSync(file, `${JSON.stringify(mail)}\n`);
      callback(null, "taken");
    });
  },
});

server.on("error", () => {
  // Whoever hangs up is no business of the server's.
});
server.listen(Number(port), "127.0.0.1", () => console.log(`ready ${port}`));
