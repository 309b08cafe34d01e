// A kubelet as far as device plugins see it, written with @grpc/grpc-js: kubelet.mjs DIR PROTO
// Prints a line for each thing that happens; commands come on stdin: "allocate ID...", "restart", "quit".
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import fs from 'node:fs';
import readline from 'node:readline';

const [dir, proto] = process.argv.slice(2);
// the services of v1beta1, whose messages are those of the project's own file
const text = fs.readFileSync(proto, 'utf8') + `
message Empty {}
message PreStartContainerRequest { repeated string devices_ids = 1; }
service Registration { rpc Register(RegisterRequest) returns (Empty); }
service DevicePlugin {
  rpc GetDevicePluginOptions(Empty) returns (DevicePluginOptions);
  rpc ListAndWatch(Empty) returns (stream ListAndWatchResponse);
  rpc GetPreferredAllocation(PreferredAllocationRequest) returns (PreferredAllocationResponse);
  rpc Allocate(AllocateRequest) returns (AllocateResponse);
  rpc PreStartContainer(PreStartContainerRequest) returns (Empty);
}`;
const file = dir + '/api.proto';
fs.writeFileSync(file, text);
const api = grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true })).v1beta1;
fs.unlinkSync(file);
const say = (...words) => console.log(words.join(' '));
const socket = 'unix:' + dir + '/kubelet.sock';
let server, plugins = new Map();

function watch(resource, endpoint) {
  const client = new api.DevicePlugin('unix:' + dir + '/' + endpoint, grpc.credentials.createInsecure());
  plugins.set(resource, client);
  client.GetDevicePluginOptions({}, (e, o) => {
    say('options', resource, e ? e.code : o.get_preferred_allocation_available);
    const stream = client.ListAndWatch({});
    stream.on('data', (m) => say('list', resource, ...m.devices.map((d) => d.ID + '=' + d.health)));
    stream.on('error', () => say('lost', resource));
    stream.on('end', () => say('ended', resource));
  });
}
function start() {
  server = new grpc.Server();
  server.addService(api.Registration.service, {
    Register(call, done) {
      const r = call.request;
      if (r.version !== 'v1beta1') return done({ code: grpc.status.INVALID_ARGUMENT, message: 'version' });
      done(null, {});
      say('registered', r.resource_name, r.endpoint);
      watch(r.resource_name, r.endpoint);
    },
  });
  server.bindAsync(socket, grpc.ServerCredentials.createInsecure(), (e) => say(e ? 'error ' + e : 'ready'));
}
start();
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, resource, ...ids] = line.split(' ');
  if (what === 'allocate')
    plugins.get(resource).Allocate({ container_requests: [{ devices_ids: ids }] }, (e, m) =>
      say('allocated', e ? e.code + ' ' + e.details : m.container_responses.map((c) =>
        c.devices.slice(0, 1).map((d) => d.host_path + ':' + d.permissions).join() + ' ' + Object.entries(c.envs).map((p) => p.join('=')).join()).join(';')));
  if (what === 'restart') { // as the real one: its folder is emptied
    server.forceShutdown();
    for (const f of fs.readdirSync(dir)) fs.rmSync(dir + '/' + f, { force: true });
    start();
  }
  if (what === 'quit') process.exit(0);
});
