// `node --import`: a machine whose clock is five minutes ahead.
const right = Date.now.bind(Date);
Date.now = () => right() + 300_000;
