// Express with express-idempotency and its default store in memory, set up as its README says: the handler
// asks whether the request was a hit, and reports a failure.

const express = require('express');
const { idempotency, getSharedIdempotencyService } = require('express-idempotency');

const SLOW = 200;
const runs = { begun: 0, finished: 0 };
const failed = new Set();

async function work(message) {
    const text = message.msg_body.text.content;
    runs.begun += 1;
    if (text === '#fail' && !failed.has(message.msg_id)) {
        failed.add(message.msg_id);
        throw new Error('the message asked for it');
    }
    if (text === '#slow') {
        await new Promise((resolve) => setTimeout(resolve, SLOW));
    }
    runs.finished += 1;
}

const app = express();
app.use(express.json());
app.post('/callback/message', idempotency(), async (request, response) => {
    const service = getSharedIdempotencyService();
    if (service.isHit(request)) {
        return;
    }
    try {
        await work(request.body);
    } catch (error) {
        await service.reportError(request);
        throw error;
    }
    response.send('success');
});
app.get('/runs', (_, response) => response.json(runs));
app.get('/versions', (_, response) => {
    const names = ['express', 'express-idempotency'];
    const parts = names.map((name) => `${name} ${require(`${name}/package.json`).version}`);
    response.send([...parts, `Node ${process.versions.node}`].join(', '));
});

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
