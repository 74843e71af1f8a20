import { createTheme, defaultVariantColorsResolver, Menu, type MantineColorsTuple } from '@mantine/core';

const teal: MantineColorsTuple = [
  '#e3fafc',
  '#c5f6fa',
  '#99e9f2',
  '#66d9e8',
  '#3bc9db',
  '#22b8cf',
  '#15aabf',
  '#0f8ba0',
  '#0b7285',
  '#095c6b',
];

/** One accent, deep teal; shade 8 on light, 5 on dark, so that text on it has at least 4.5:1. */
export const theme = createTheme({
  primaryColor: 'teal',
  colors: { teal },
  primaryShade: { light: 8, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.35,
  // Mantine takes the text on filled buttons from the light shade; this variable follows the scheme.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    const primary = input.color === undefined || input.color === input.theme.primaryColor;
    return input.variant === 'filled' && primary
      ? { ...colors, color: 'var(--mantine-primary-color-contrast)' }
      : colors;
  },
  components: {
    // In place, so that a menu belongs to its landmark; its first child is an item, as its role demands.
    Menu: Menu.extend({ defaultProps: { withinPortal: false, withInitialFocusPlaceholder: false } }),
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif',
  headings: { fontFamily: 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif', fontWeight: '650' },
  defaultRadius: 'md',
  respectReducedMotion: true,
});
