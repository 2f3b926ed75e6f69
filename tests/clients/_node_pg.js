// node-postgres against the weir on the port that is given: parameters, named statements, a pool,
// errors with their fields, many rows, notices of types.
'use strict';
const { Client, Pool } = require('pg');
const assert = require('assert');
const where = { host: '127.0.0.1', port: Number(process.argv[2]), user: 'test', database: 'weir' };
let passed = 0, failed = 0;

async function check(what, body) {
    try {
        await body();
        passed++;
    } catch (error) {
        failed++;
        console.log(`FAILED ${what}: ${error.message}`);
    }
}

async function fails(client, sql, params, code, position) {
    try {
        await client.query(sql, params);
    } catch (error) {
        assert.strictEqual(error.code, code);
        if (position) assert.strictEqual(error.position, position);
        return;
    }
    throw new Error('it succeeds');
}

async function main() {
    const client = new Client(where);
    await client.connect();
    await check('simple', async () => {
        const r = await client.query('SELECT store_id, name, orders, revenue FROM sales.by_store ORDER BY store_id');
        assert.deepStrictEqual(r.rows, [
            { store_id: 7, name: 'Graz', orders: '2', revenue: '20.00' },
            { store_id: 8, name: null, orders: '1', revenue: '100.00' }]);
        assert.strictEqual(r.rowCount, 2);
        assert.strictEqual(r.command, 'SELECT');
    });
    await check('parameters', async () => {
        const r = await client.query('SELECT order_id FROM sales.order_placed WHERE note = $1 AND qty > $2', ['zwölf', 1]);
        assert.deepStrictEqual(r.rows, [{ order_id: '3' }]);
    });
    await check('types', async () => {
        const r = await client.query('SELECT b, d, r, z, t FROM sales.all_types WHERE order_id = $1', [1]);
        assert.strictEqual(r.rows[0].b, true);
        assert.strictEqual(r.rows[0].d, 19.9);
        assert.strictEqual(r.rows[0].z.toISOString(), '2026-01-05T09:30:10.000Z');
        assert.strictEqual(r.rows[0].t, 'a, "b"');
    });
    await check('json, bytea, time and NULL as parameters', async () => {
        const r = await client.query('SELECT $1::jsonb AS j, $2::bytea AS b, $3::timestamptz AS z, $4::text AS n',
            [{ a: [1, 'x'] }, Buffer.from([0, 255]), new Date(0), null]);
        assert.deepStrictEqual(r.rows[0].j, { a: [1, 'x'] });
        assert.deepStrictEqual([...r.rows[0].b], [0, 255]);
        assert.strictEqual(r.rows[0].z.getTime(), 0);
        assert.strictEqual(r.rows[0].n, null);
    });
    await check('a named statement', async () => {
        for (let i = 0; i < 5; i++) {
            const r = await client.query({ name: 'one', text: 'SELECT count(*)::int AS n FROM sales.many WHERE n < $1', values: [i] });
            assert.strictEqual(r.rows[0].n, i);
        }
    });
    await check('rows as arrays', async () => {
        const r = await client.query({ text: 'SELECT 1 AS a, 2 AS a', rowMode: 'array' });
        assert.deepStrictEqual(r.rows, [[1, 2]]);
    });
    await check('many rows', async () => {
        const r = await client.query('SELECT n FROM sales.many');
        assert.strictEqual(r.rows.length, 20000);
    });
    await check('several statements', async () => {
        const r = await client.query('SELECT 1 AS a; SELECT 2 AS b');
        assert.deepStrictEqual(r.map((x) => x.rows[0]), [{ a: 1 }, { b: 2 }]);
    });
    await check('INSERT', async () => {
        const r = await client.query('INSERT INTO sales.store VALUES ($1, $2)', [30, 'Wien']);
        assert.strictEqual(r.rowCount, 1);
    });
    await check('undefined table', () => fails(client, 'SELECT * FROM nowhere', [], '42P01', '15'));
    await check('undefined column', () => fails(client, 'SELECT nope FROM sales.many', [], '42703', '8'));
    await check('syntax', () => fails(client, 'SELEC', undefined, '42601'));
    await check('wrong parameter', () => fails(client, 'SELECT $1::int', ['x'], '22P02'));
    await check('goes on', async () => assert.strictEqual((await client.query('SELECT 1 AS a')).rows[0].a, 1));
    await client.end();
    await check('a pool', async () => {
        const pool = new Pool({ ...where, max: 5 });
        const all = await Promise.all(Array.from({ length: 40 }, (_, i) => pool.query('SELECT $1::int AS i', [i])));
        assert.deepStrictEqual(all.map((r) => r.rows[0].i), Array.from({ length: 40 }, (_, i) => i));
        await pool.end();
    });
    console.log(`${passed} checks passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
}

main().catch((error) => {
    console.log(`FAILED ${error.stack}`);
    process.exit(1);
});
