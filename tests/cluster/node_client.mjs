// A client of tutti.v1.Node written with @grpc/grpc-js: HOST:PORT PROTO FILE SERVICE-URL.  Copied beside its packages by test_nodes.sh.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [, , at, proto, file, service] = process.argv;
const Node = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true, longs: Number })).tutti.v1.Node;
const client = new Node(at, grpc.credentials.createInsecure());
const whole = readFileSync(file), sum = createHash("sha256").update(whole).digest();

const d = await new Promise((done, fail) => client.Describe({}, (e, v) => (e ? fail(e) : done(v))));
console.log("described", d.name, d.experts.map((e) => e.id).join(","), JSON.parse(d.machine_json) ? "machine" : "", d.models.map((m) => m.name).join(","));

await new Promise((done) => {
  let n = 0;
  const w = client.Watch({});
  w.on("data", (s) => {
    if (++n === 3) {
      console.log("watched", n, s.experts.length, s.steps.length);
      w.cancel();
    }
  });
  w.on("error", () => done());
});

const offset = 10_000_001;
await new Promise((done) => {
  const pieces = [];
  let first;
  const f = client.Fetch({ name: basename(file), offset, sha256: sum });
  f.on("data", (p) => (first ? pieces.push(p.data) : (first = p)));
  f.on("end", () => {
    const ok = first.total_bytes === whole.length && sum.equals(first.sha256) && Buffer.concat(pieces).equals(whole.subarray(offset));
    console.log("resumed", ok ? "same" : "different");
    done();
  });
});

// Who does not read holds no more than its window and the queue of its stream.
const sent = async () => Number(/^tutti_node_fetched_bytes_total (\S+)/m.exec(await (await fetch(`${service}/metrics`)).text())[1]);
const before = await sent();
await new Promise((done) => {
  const f = client.Fetch({ name: basename(file) });
  f.on("error", () => done());
  f.once("data", async () => {
    f.pause();
    let last = -1, now = await sent();
    while (now !== last) {
      last = now;
      await new Promise((r) => setTimeout(r, 300));
      now = await sent();
    }
    console.log("paused", now - before < whole.length / 2 ? "held" : "all", now - before);
    f.cancel();
    f.resume();
  });
});

await new Promise((done) => {
  const f = client.Fetch({ name: basename(file), sha256: Buffer.alloc(32) });
  f.on("data", () => {});
  f.on("error", (e) => {
    console.log("refused", e.code);
    done();
  });
});
client.close();
