/** A cloud that answers what the pollster files of test/fixtures/pollsters ask. */
import type { CloudAnswer, CloudRequest } from './misbehaving_cloud.ts';

const DETAIL = '/service/v3/volumes/detail?all_tenants=true';

function volume(number: number, more: object = {}): object {
  return {
    id: `volume-${number}`,
    name: `disk ${number}`,
    status: ['available', 'in-use', 'error', 'creating'][number % 4],
    size: number * 10,
    user_id: `user-${number % 2}`,
    'os-vol-tenant-attr:tenant_id': `project-${number % 3}`,
    metadata: { owner: `o${number}` },
    attachments: Array.from({ length: number % 3 }, (_, at) => ({ server_id: `s${at}` })),
    volume_type: number % 2 === 0 ? null : 'ssd',
    bootable: String(number % 2 === 0),
    ...more,
  };
}

const USAGE = {
  entries: [],
  summary: ['a$b', 'c$d'].map((user, at) => ({
    user,
    categories: [
      { category: 'put_obj', ops: 46 + at, bytes: { sent: 9007199254740993n } },
      { category: 'list_bucket', ops: 8, bytes: { sent: 0 } },
      { category: 'get_obj', ops: 0, bytes: { sent: 2120428 } },
    ],
    total: { ops: 102, successful_ops: 100 + at },
  })),
};

const BUCKET = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>photos &amp; more</Name>
  <Contents>
    <Key>a.jpg</Key><Size>434234</Size><Owner kind="user"><ID>p1</ID></Owner>
    <Tag>x</Tag><Tag>y</Tag><Empty/>
  </Contents>
  <Contents>
    <Key>b.jpg</Key><Size> 12 </Size><Owner kind="user"><ID>p2</ID></Owner>
    <Tag><![CDATA[<z>]]></Tag><Empty></Empty>
  </Contents>
</ListBucketResult>`;

const SINGLE =
  '<test><user_id>u</user_id><project_id>p</project_id><id>i</id><meta>kept</meta><value>1</value></test>';

const SERVERS = ['ACTIVE', 'SHUTOFF', 'ACTIVE'].map((status, at) => ({
  id: `server-${at}`,
  name: `vm ${at}`,
  status,
  tenant_id: `project-${at % 2}`,
  user_id: 'user-0',
  flavor: { vcpus: at === 2 ? 4 : 2 },
  image: at === 1 ? '' : { id: `image-${at}` },
  tags: ['t', String(at)],
}));

/** JSON with whole numbers that no double holds. */
function exactJson(value: object): string {
  return JSON.stringify(value, (_, each) => typeof each === 'bigint' ? `#${each}#` : each)
    .replace(/"#(\d+)#"/g, '$1');
}

function text(body: string, type: string): CloudAnswer {
  return (response) => {
    response.writeHead(200, { 'content-type': type });
    response.end(body);
  };
}

export function answerPollsters({ path, origin }: CloudRequest): CloudAnswer {
  const href = (marker: number) => `${origin}${DETAIL}&marker=${marker}`;
  const pages: Record<string, object> = {
    [DETAIL]: {
      volumes: [volume(1), volume(2)],
      volumes_links: [{ rel: 'prev', href: 'http://nowhere/' }, { rel: 'next', href: href(2) }],
    },
    [`${DETAIL}&marker=2`]: {
      volumes: [volume(3, { encrypted: true })],
      volumes_links: [{ rel: 'next', href: href(3) }],
    },
    [`${DETAIL}&marker=3`]: { volumes: [volume(4)] },
  };
  const page = pages[path];
  if (page !== undefined) return page;
  const service: Record<string, CloudAnswer> = {
    '/v3/first_key': { volumes: [volume(1), volume(2)], other: [] },
    '/v3/list': text(
      JSON.stringify([{ id: 5, owner: { name: ' p $u' }, counts: { total: 1.5 } }]),
      'application/json',
    ),
    '/v3/usage': text(exactJson(USAGE), 'application/json'),
    '/v3/bucket.xml': text(BUCKET, 'application/xml'),
    '/v3/single.xml': text(SINGLE, 'application/xml'),
    '/v3/made/7': { things: [{ id: 'm', n: 3 }] },
    '/v3/servers/detail': { servers: SERVERS },
  };
  const found = service[path.replace(/^\/service/, '')];
  if (found !== undefined) return found;
  const project = /^\/identity\/v3\/projects\/(project-\d)$/.exec(path)?.[1];
  if (project !== undefined) {
    const description = project === 'project-0' ? null : 'with words';
    return { project: { id: project, name: project.toUpperCase(), domain_id: 'd1', description } };
  }
  if (path === '/identity/v3/domains/d1') return { domain: { id: 'd1', name: 'Domain One' } };
  const greeted = /^\/identity\/v3\/greetings\/(.*)$/.exec(path)?.[1];
  if (greeted !== undefined) return { greeting: { text: `hello ${greeted} {extra}`, name: 'g' } };
  return (response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"itemNotFound": {"code": 404, "message": "nothing there"}}');
  };
}
