// Asks for the caller's grants with openapi-fetch and the generated types: the agents' logins, and what a wrong id is
// answered with.
import createClient from "openapi-fetch";
import type { paths } from "./api.mjs";

declare const process: { env: Record<string, string> };

const client = createClient<paths>({
  baseUrl: process.env.BASE,
  headers: { authorization: `Bearer ${process.env.TOKEN}` },
});

const { data, error } = await client.GET("/v1/grants");
if (error) throw new Error(`${error.code}: ${error.detail}`);
for (const agent of data.items) {
  const login: string | undefined = agent.login;
  console.log(`${login} ${agent.status}`);
}

const refused = await client.DELETE("/v1/delegations/{id}", { params: { path: { id: "none" } } });
const code: string | undefined = refused.error?.code;
console.log(`${refused.response.status} ${code}`);
