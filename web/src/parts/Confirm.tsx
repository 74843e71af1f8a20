// A question before something is lost: it names the thing, and says what is lost and what stays.
import { Button, Group, Modal, Text } from '@mantine/core';
import { t } from '../messages/en.ts';

interface ConfirmProps {
  opened: boolean;
  title: string;
  text: string;
  button: string;
  onCancel: () => void;
  onConfirm: () => void;
}

export function Confirm({ opened, title, text, button, onCancel, onConfirm }: ConfirmProps) {
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
              {t('action.keep')}
            </Button>
            <Button color="red.9" onClick={onConfirm}>
              {button}
            </Button>
          </Group>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
