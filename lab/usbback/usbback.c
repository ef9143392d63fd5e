// SPDX-License-Identifier: GPL-2.0-only
/*
 * usbback: the half of the PVUSB kernel backend that a host's tools deal with.
 *
 * The backend that Xen's tools know by this name was never merged into Linux.
 * This one has its driver in sysfs, its rules about what may be bound, and its
 * xenbus states; it moves no data.
 *
 * As with the original, an interface may be bound if its device is named by
 * a port of some backend/vusb/DOMID/DEVID, and the ports are known from a
 * watch: there is a short delay before a port that was written takes effect.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/usb.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#define PORTS_MAX 31
#define BUSID_MAX 24

static int bind_error;
module_param(bind_error, int, 0644);
MODULE_PARM_DESC(bind_error, "errno that binding fails with; 0: none");

static char bind_error_intf[BUSID_MAX + 8];
module_param_string(bind_error_intf, bind_error_intf, sizeof(bind_error_intf), 0644);
MODULE_PARM_DESC(bind_error_intf, "the only interface that bind_error applies to, such as 1-1:1.1; empty: all");

/* A controller of a guest. */
struct vusb {
	struct list_head list;
	struct xenbus_device *dev;
	struct xenbus_watch port_watch;
	char busids[PORTS_MAX][BUSID_MAX];
};

static LIST_HEAD(vusbs);
static DEFINE_MUTEX(vusbs_lock); /* the list, and the bus ids of all in it */

static bool is_named_by_a_port(const char *busid)
{
	struct vusb *vusb;
	bool named = false;
	int i;

	mutex_lock(&vusbs_lock);
	list_for_each_entry(vusb, &vusbs, list)
		for (i = 0; i < PORTS_MAX; i++)
			named |= !strcmp(vusb->busids[i], busid);
	mutex_unlock(&vusbs_lock);
	return named;
}

static void ports_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct vusb *vusb = container_of(watch, struct vusb, port_watch);
	char name[16];
	char *busid;
	int i;

	mutex_lock(&vusbs_lock);
	for (i = 0; i < PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "port/%d", i + 1);
		busid = xenbus_read(XBT_NIL, vusb->dev->nodename, name, NULL);
		if (IS_ERR(busid)) {
			vusb->busids[i][0] = '\0';
			continue;
		}
		strscpy(vusb->busids[i], busid, BUSID_MAX);
		kfree(busid);
	}
	mutex_unlock(&vusbs_lock);
}

static int interface_probe(struct usb_interface *intf, const struct usb_device_id *id)
{
	struct usb_device *udev = interface_to_usbdev(intf);
	const char *name = dev_name(&intf->dev);

	if (udev->descriptor.bDeviceClass == USB_CLASS_HUB)
		return -ENODEV;
	if (!is_named_by_a_port(dev_name(&udev->dev)))
		return -ENODEV;
	if (bind_error && (!bind_error_intf[0] || !strcmp(bind_error_intf, name)))
		return -abs(bind_error);
	dev_info(&intf->dev, "usbback has it\n");
	return 0;
}

static void interface_disconnect(struct usb_interface *intf)
{
	dev_info(&intf->dev, "usbback has let it go\n");
}

/*
 * Matches everything, since only a driver that matches can be bound by name;
 * what no port names is refused by interface_probe().
 */
static const struct usb_device_id interface_ids[] = {
	{ .driver_info = 1 },
	{ }
};

static struct usb_driver interface_driver = {
	.name = "usbback",
	.probe = interface_probe,
	.disconnect = interface_disconnect,
	.id_table = interface_ids,
	.no_dynamic_id = 1,
};

static int vusb_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	struct vusb *vusb = kzalloc(sizeof(*vusb), GFP_KERNEL);
	int err;

	if (!vusb)
		return -ENOMEM;
	vusb->dev = dev;
	dev_set_drvdata(&dev->dev, vusb);
	mutex_lock(&vusbs_lock);
	list_add(&vusb->list, &vusbs);
	mutex_unlock(&vusbs_lock);

	err = xenbus_watch_pathfmt(dev, &vusb->port_watch, NULL, ports_changed,
				   "%s/port", dev->nodename);
	if (!err)
		return xenbus_switch_state(dev, XenbusStateInitWait);

	mutex_lock(&vusbs_lock);
	list_del(&vusb->list);
	mutex_unlock(&vusbs_lock);
	kfree(vusb);
	return err;
}

static void vusb_remove(struct xenbus_device *dev)
{
	struct vusb *vusb = dev_get_drvdata(&dev->dev);

	/* Waits for a running ports_changed(), so the lock must not be held. */
	unregister_xenbus_watch(&vusb->port_watch);
	kfree(vusb->port_watch.node);
	mutex_lock(&vusbs_lock);
	list_del(&vusb->list);
	mutex_unlock(&vusbs_lock);
	kfree(vusb);
}

static void vusb_frontend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	switch (state) {
	case XenbusStateInitialising:
		if (dev->state == XenbusStateClosed)
			xenbus_switch_state(dev, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		xenbus_switch_state(dev, XenbusStateConnected);
		break;
	case XenbusStateClosing:
		xenbus_switch_state(dev, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		xenbus_switch_state(dev, XenbusStateClosed);
		if (xenbus_dev_is_online(dev))
			break;
		fallthrough;
	case XenbusStateUnknown: /* the frontend's nodes are gone */
		device_unregister(&dev->dev);
		break;
	default:
		break;
	}
}

static const struct xenbus_device_id vusb_ids[] = {
	{ "vusb" },
	{ "" }
};

static struct xenbus_driver vusb_driver = {
	.ids = vusb_ids,
	.probe = vusb_probe,
	.remove = vusb_remove,
	.otherend_changed = vusb_frontend_changed,
};

static int __init usbback_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	/* The controllers first: they know what may be bound. */
	err = xenbus_register_backend(&vusb_driver);
	if (err)
		return err;
	err = usb_register(&interface_driver);
	if (err)
		xenbus_unregister_driver(&vusb_driver);
	return err;
}

static void __exit usbback_exit(void)
{
	usb_deregister(&interface_driver);
	xenbus_unregister_driver(&vusb_driver);
}

module_init(usbback_init);
module_exit(usbback_exit);
/* No alias: a test decides whether its host has usbback. */
MODULE_DESCRIPTION("PVUSB's kernel backend without its data path");
MODULE_LICENSE("GPL");
