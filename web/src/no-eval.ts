// Imported before any schema: zod would try `new Function` once, which the portal's policy refuses with a line in the console.
import { config } from 'zod';

config({ jitless: true });
