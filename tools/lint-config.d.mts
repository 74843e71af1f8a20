export declare function lintConfig(): object;
