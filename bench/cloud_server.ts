/** The cloud of `bench -- polling`, in a process of its own: its work is nobody's. Argument: instances. */
import process from 'node:process';
import { CloudApi } from '../test/support/cloud_api.ts';

const api = await CloudApi.start({ instances: Number(process.argv[2]) });
process.stdout.write(`${api.authUrl}\n`);
process.stdin.resume().once('end', () => {
  void api.stop().then(() => process.exit(0));
});
