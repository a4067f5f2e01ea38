import { createHash, randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCardNumber, luhn } from "./card-number.ts";
import { createMask, maskText } from "./create-mask.ts";

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const JWT = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "42" })}.c2lnbmF0dXJlLW9mLWl0`;
// Put together here, so that scanners of this repository don't find keys in it.
const AWS = ["AKIA", "IOSFODNN7EXAMPLE"].join("");
const GITHUB = ["ghp", "16C7e42F292c6912E7710c838347Ae178B4a"].join("_");
const STRIPE = ["sk", "live", "4eC39HqLyjWDarjtT1zdp7dc"].join("_");
const SEED = ["S", "UACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"].join("");

const DIGEST = `sha256:${"0a".repeat(32)}`;

describe("secrets in texts", () => {
  test.each([
    ["a JWT", `token ${JWT} was refused`, "token *** was refused"],
    ["a bearer token", "Authorization: Bearer c3VwZXI0c2VjcmV0", "Authorization: Bearer ***"],
    ["a bearer JWT", `authorization: bearer ${JWT}`, "authorization: bearer ***"],
    ["basic credentials", "got Basic dXNlcjpwYXNz from 10.0.0.1", "got Basic *** from 10.0.0.1"],
    ["a bare authorization", "authorization=a1b2c3d4e5", "authorization=***"],
    ["an AWS key", `key ${AWS}, refused`, "key ***, refused"],
    ["a GitHub token", `https://x.test/${GITHUB}`, "https://x.test/***"],
    ["a Stripe key", `No such key: ${STRIPE}.`, "No such key: ***."],
    ["an OpenAI key", "Incorrect API key: sk-proj-abcD1234efgh5678ijkl", "Incorrect API key: ***"],
    ["a Slack token", "xoxb-123456789012-abcdef", "***"],
    ["an nkey seed", `seed ${SEED}`, "seed ***"],
    [
      "a private key",
      "x\n-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\ny",
      "x\n***\ny",
    ],
    ["a private key that was cut", "-----BEGIN PRIVATE KEY-----\nMIIEvQ…", "***"],
    [
      "a password in a URL",
      "connect postgres://app:hunter2@db.internal:5432/x",
      "connect postgres://app:***@db.internal:5432/x",
    ],
    ["a NATS token in a URL", "nats://s3cr3t@10.0.0.1:4222", "nats://***@10.0.0.1:4222"],
    [
      "a query",
      "GET /x?user=ada&access_token=abc&page=2",
      "GET /x?user=ada&access_token=***&page=2",
    ],
    ["a connection string", "Host=db;Password=p;Port=1", "Host=db;Password=***;Port=1"],
    ["JSON", '{"user":"ada","password":"a \\"b\\" c"}', '{"user":"ada","password":"***"}'],
    [
      "JSON in JSON",
      String.raw`"{\"apiKey\":\"it's a \\\"b\",\"n\":1}"`,
      String.raw`"{\"apiKey\":\"***\",\"n\":1}"`,
    ],
    [
      "an inspected object",
      "{ user: 'ada', clientSecret: 'x y' }",
      "{ user: 'ada', clientSecret: '***' }",
    ],
    ["a line of a file", "db_password: hunter2", "db_password: ***"],
    ["a PIN", "pin: 4711, then CVV: 123.", "pin: ***, then CVV: ***."],
    [
      "numbers in JSON",
      '{"pin":4711,"cvv": 123,"token":12345678901234,"dbPassword":-1.5}',
      '{"pin":"***","cvv": "***","token":"***","dbPassword":"***"}',
    ],
    [
      "numbers in JSON in JSON",
      String.raw`"{\"pin\":4711,\"in\":\"{\\\"cvv\\\":123}\"}"`,
      String.raw`"{\"pin\":\"***\",\"in\":\"{\\\"cvv\\\":\\\"***\\\"}\"}"`,
    ],
    ["a number in a dictionary", "{'pin': 4711}", "{'pin': '***'}"],
    ["a header of words", "x-api-key: abcdefgh", "x-api-key: ***"],
    [
      "headers",
      "X-Api-Key: abc-def\nX-Auth-Token: ghijkl\n",
      "X-Api-Key: ***\nX-Auth-Token: ***\n",
    ],
    ["a card in one piece", "card 4111111111111111 declined", "card *** declined"],
    ["a card in groups", "card 5555-5555-5555-4444.", "card ***."],
    ["an American one", "3782 822463 10005", "***"],
    ["a card in JSON", '{"n":"4242424242424242"}', '{"n":"***"}'],
  ])("%s", (_what, text, masked) => expect(maskText(text)).toBe(masked));

  test.each([
    ["postgres://app:hunter2/abc@db/x", "postgres://app:***@db/x"],
    ["https://u:p#w@h/", "https://u:***@h/"],
    ["amqp://u:a?b@h", "amqp://u:***@h"],
    ["redis://:p@ss@host", "redis://:***@host"],
    ["redis://:p/a@ss@host:1/0", "redis://:***@host:1/0"],
    ["smtp://ada@x.test:hunter2@mail.x.test", "smtp://ada@x.test:***@mail.x.test"],
    ["https://u:pw@h/@scope/pkg", "https://u:***@h/@scope/pkg"],
    [`https://u:p/w@h/img@${DIGEST}`, `https://u:***@h/img@${DIGEST}`],
    ["https://u:hunter2@sha256:0a1b2c/x", "https://u:***@sha256:0a1b2c/x"],
    ["https://u:pw@h/key@2", "https://u:***@h/key@2"],
    ["https://u:p/w@10.0.0.1/x", "https://u:***@10.0.0.1/x"],
    ["https://u:p/w@2.pool", "https://u:***@2.pool"],
    ["https://u:p/w@0/x", "https://u:***@0/x"],
    ["https://u:port1/w@h", "https://u:***@h"],
    ["https://u:$port!/w@sha256:5432", "https://u:***@sha256:5432"],
    ["nats://u:p@h1:4222,v:q@h2:4222", "nats://u:***@h2:4222"],
  ])("a password in %s, encoded or not", (url, masked) =>
    expect(maskText(`to ${url} failed`)).toBe(`to ${masked} failed`),
  );
});

describe("look-alikes stay", () => {
  test.each([
    "0.1.0, 24.21.0 and 2.10.29-RC.1+build.20240101",
    "eyjafjallajokull.example.com and eyJa.example.com",
    "db-1.prod.eu-central-1.internal:5432",
    "https://user@example.com/path?page=2&tokens=1500",
    "ssh://git@github.com/x/y.git",
    "git+ssh://git@github.com:x/y.git@v1",
    "https://example.com:443/users/ada@example.com?next=b@c#d@e",
    "http://[::1]:8080/ada@example.com and file:///C:/a@b, file://C:/a@b",
    "mongodb://h1:27017,h2:27017/db?owner=ada@example.com",
    `oci://reg.io:latest/img@${DIGEST}, docker://alpine:3.19@${DIGEST}`,
    "s3://bucket:v1/key@2, s3://bucket:v1/key@2/part and pkg://name:next/lib@17",
    "http://localhost:port/path@x, http://localhost:PORT/@x and http://host:$PORT/a@x",
    "http://host:${PORT}/users/ada@example.com",
    '{"maxTokens":4096,"token":17,"tokensPerSecond":12.5,"tokenExpiresAt":1893456000000}',
    '{"port":4222,"pinned":3,"spinning":12,"opinion": 7}',
    "Pins: 12, pin: 13 of the board, opinion: 4711",
    "secret: 404 Not Found, password: 401",
    "x-api-key: header is missing; x-request-id: abcdefgh",
    "mailto ada@example.com, at 10.0.0.1:4222",
    "550e8400-e29b-41d4-a716-446655440000",
    "41111111-1111-4111-8111-111111111111",
    "d41d8cd98f00b204e9800998ecf8427e",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "2030-01-02T03:04:05.678Z, epoch 1893456000000 and 1893456000000000000 ns",
    "order 4111111111111112 has no check digit that fits",
    "0.4111111111111111 and 4111111111111111.5 are fractions",
    "SyntaxError: Unexpected token } in JSON at position 12",
    "token: must be a text that is not empty",
    "password: Invalid input: expected string, received undefined",
    "the bearer certificate-of-deposit, basic authentication",
    "Basic principles of bearer tokens",
    "sk-learn-contrib-preprocessing-utils",
    "if (token === other) secret => keep, pin==1",
    "maxTokens=4096 token=17 secret=true",
    "0195c1f2-7a55-7c3e-9a1b-3f8f5b0c2d11 took 30s on host-4242",
    "millrace.q.mail.job.order-7",
    "arn:aws:iam::123456789012:role/x",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  ])("%s", (text) => expect(maskText(text)).toBe(text));

  const plain = fc.oneof(
    fc.uuid(),
    fc.domain(),
    fc.ipV4(),
    fc.ipV6(),
    // A local part of any characters can be `ssn.=`, and what is assigned to that is masked.
    fc.tuple(fc.stringMatching(/^[a-z]{1,10}$/), fc.domain()).map((parts) => parts.join("@")),
    fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999)).map((numbers) => numbers.join(".")),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    // Milliseconds of this century.
    fc.integer({ min: 946_684_800_000, max: 1_999_999_999_999 }).map(String),
    fc.string().map((text) => createHash("sha256").update(text).digest("hex")),
    fc.string().map((text) => createHash("md5").update(text).digest("hex")),
    fc.constant(0).map(() => randomUUID()),
  );

  test("versions, hosts, addresses, times, UUIDs and hashes, alone and among words", () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 5 }), (words) => {
        const text = words.join(" at ");
        expect(maskText(text)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("properties", () => {
  const words = fc.stringMatching(/^[a-z ]{0,20}$/);
  const wholeNumber = (head: string, length: number): fc.Arbitrary<string> =>
    fc.stringMatching(new RegExp(`^\\d{${length - head.length - 1}}$`)).map((body) => {
      const digits = `${head}${body}`;
      return `${digits}${(10 - (luhn(`${digits}0`) % 10)) % 10}`;
    });
  const card = fc.oneof(
    wholeNumber("4", 16),
    wholeNumber("51", 16),
    wholeNumber("37", 15),
    wholeNumber("6011", 16),
  );

  test("each card of a known scheme is found, and with another check digit none is", () => {
    fc.assert(
      fc.property(words, card, words, (before, number, after) => {
        expect(maskText(`${before} ${number} ${after}`)).toBe(`${before} *** ${after}`);
        const other = `${number.slice(0, -1)}${(Number(number.at(-1)) + 1) % 10}`;
        expect(isCardNumber(other)).toBe(false);
        expect(maskText(`${before} ${other} ${after}`)).toBe(`${before} ${other} ${after}`);
      }),
    );
  });

  test("no JWT survives, wherever it stands", () => {
    const claims = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });
    const signature = fc.stringMatching(/^[A-Za-z0-9_-]{0,86}$/);
    fc.assert(
      fc.property(words, claims, signature, words, (before, payload, signed, after) => {
        const jwt = `${part({ alg: "ES256", kid: "1" })}.${part(payload)}.${signed}`;
        expect(maskText(`${before} ${jwt} ${after}`)).not.toContain(part(payload));
      }),
    );
  });

  test("JSON texts stay JSON, with the same keys", () => {
    const keys = fc.oneof(fc.string(), fc.constantFrom("password", "token", "user", "pin"));
    const text = fc.string({ unit: "binary" });
    const inner = fc.dictionary(keys, fc.integer()).map((value) => JSON.stringify(value));
    const any = fc.oneof(text, inner, fc.integer(), fc.double({ noNaN: true }));
    fc.assert(
      fc.property(fc.dictionary(keys, any), (value) => {
        const masked = JSON.parse(maskText(JSON.stringify(value))) as object;
        expect(Object.keys(masked)).toHaveLength(Object.keys(value).length);
      }),
      { numRuns: 1_000 },
    );
  });

  test("masking twice masks nothing more, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), card, words), (text) => {
        expect(maskText(maskText(text))).toBe(maskText(text));
      }),
    );
  });

  test.each([
    "eyJ",
    "4",
    "4 ",
    "a",
    "a=",
    "a://",
    "a:",
    "bearer ",
    "authorization: ",
    "password=\\",
    'password="\\"',
    "-----BEGIN PRIVATE KEY-----",
    "sk-",
    "ab://u:",
    "ab://u:b/",
    "ab://u:b/@c",
    "ab://u:b/@sha256:",
    "ab://u:b/@2",
    "ab://u@",
    "x-token:",
    "pin: 12",
    'pin":1',
    "pin\\",
    "AKIA",
    "token: ",
    "1234-",
  ])("half a megabyte of %j is no trouble", (beginning) => {
    const startedAt = performance.now();
    maskText(beginning.repeat(Math.ceil(500_000 / beginning.length)));
    // A pattern that is not linear takes minutes.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

test("own patterns come on top, and a text may be cut once it is masked", () => {
  const mask = createMask({
    patterns: [
      /\bEMP-\d+\b/,
      { name: "even", find: /#(\d+)/, accept: (found) => Number(found.slice(1)) % 2 === 0 },
    ],
    maxLength: 20,
  });
  expect(mask.text("EMP-1 #2 #3")).toBe("*** *** #3");
  expect(mask.text(`a ${JWT} b${"x".repeat(30)}`)).toBe(`a *** b${"x".repeat(13)}…`);
});
