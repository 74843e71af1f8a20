// The few files of /etc that a session sees as its own: this one person, this one host name, files and DNS only.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const hostname = 'session';
/** Written here, bound read-only over the folder /etc of the sandbox. */
export const ownEtc = ['passwd', 'group', 'hosts', 'nsswitch.conf'] as const;

/** @param folder exists and is private */
export async function writeEtc(folder: string, slug: string, home: string): Promise<void> {
  const hosts = await readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1 localhost\n::1 localhost\n');
  const files: Record<(typeof ownEtc)[number], string> = {
    passwd: `${slug}:x:1000:1000::${home}:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n`,
    group: `${slug}:x:1000:\nnogroup:x:65534:\n`,
    hosts: `${hosts.trimEnd()}\n127.0.0.1 ${hostname}\n`,
    'nsswitch.conf':
      'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n',
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(path.join(folder, name), text)));
}
