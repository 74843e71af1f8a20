// A question before something is lost or begins: it names the thing, and says what is lost and what stays.
import { Button, Group, Modal, Text } from '@mantine/core';
import { t } from '../messages/en.ts';

interface ConfirmProps {
  opened: boolean;
  title: string;
  text: string;
  button: string;
  /** False: nothing is lost by it. */
  loses: boolean;
  onCancel: () => void;
  onConfirm: () => void;
}

export function Confirm({ opened, title, text, button, loses, onCancel, onConfirm }: ConfirmProps) {
  return (
    <Modal.Root opened={opened} onClose={onCancel} centered>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body pt="md">
          <Modal.Title fz="lg" fw={650} mb="sm">
            {title}
          </Modal.Title>
          <Text mb="lg">{text}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={onCancel}>
              {loses ? t('action.keep') : t('action.notNow')}
            </Button>
            <Button {...(loses ? { color: 'red.9' } : {})} onClick={onConfirm}>
              {button}
            </Button>
          </Group>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
