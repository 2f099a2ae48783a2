import { afterAll } from 'vitest';
import { openWebUiAdminContract } from './open-webui-admin.contract.ts';
import { startFakeOpenWebUi } from './open-webui-admin.ts';

const fake = await startFakeOpenWebUi();
afterAll(() => fake.close());

openWebUiAdminContract(() => fake);
