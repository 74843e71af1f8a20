/** A person: identity is (iss, sub); name and e-mail are data. */
export interface User {
  /** `u_` and 16 base32 characters. */
  id: string;
  iss: string;
  sub: string;
  /** Readable part and 8 hex digits of SHA-256 of `iss sub`; computed at first login, never changed. */
  slug: string;
  name: string;
  email: string | null;
  groups: string[];
}
